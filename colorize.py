"""Train a model, or color one photo, with the settings of config.py:

python3 colorize.py --mode=train
python3 colorize.py --mode=inference --image_path=PHOTO [--state_dict_path=WEIGHTS]
"""

import sys
from pathlib import Path

from colorizer.historic import historic

if __name__ == "__main__":
    sys.exit(historic(Path(__file__).with_name("config.py")))
