"""What the engines cost, whether kills lose anything, and what ten million photos would take.

    python benchmarks/cluster.py [engines] [kills] [plan] [--count 1000] [--megapixels 0.1] ...

engines: the same photos of a local S3 server (moto), through the local engine, through two
    processes that share them by --shard, and through Ray: photos per CPU second of all processes
    but the server, once started; what that is over "no store", the loop of colorize_bytes alone;
    photos per second, where the server has to share the cores too; CPU seconds and seconds until
    the first photo; memory (shared pages are counted once); and whether all gave the same bytes.
    On a machine that others use too, CPU seconds tell more than seconds.
kills: random SIGKILLs over a store that is slow and fails: what was lost, wrong, or done twice.
plan: a simulation of a large collection: core hours, requests, bytes, dollars, stragglers and lost
    spot nodes, for shares that are fixed (--shard) and for blocks that are handed out (Ray).

Linux. `engines` needs the dev extra.
"""

import argparse
import heapq
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
BACK = 5 / 60  # hours until a lost node is replaced


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = {"engines": engines, "kills": kills, "plan": plan}
    parser.add_argument("what", nargs="*", help=" ".join(what))
    parser.add_argument("--count", type=int, default=1000, help="photos of engines and kills")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--megapixels", type=float, default=0.1, help="of the photos of engines")
    parser.add_argument("--model", default="colornet_lite_cross")
    parser.add_argument("--workers", type=int, default=2, help="of engines")
    group = parser.add_argument_group("plan")
    for name, default, about in (
        ("photos", 10_000_000, "in the collection"),
        ("cpu-seconds", 2.5, "to color a photo; the default is of 24 megapixels"),
        ("spread", 0.6, "of that, sigma of a log-normal distribution"),
        ("cores", 2048, "at work"),
        ("node-cores", 64, "of a node"),
        ("slow-nodes", 0.02, "share of nodes at half speed"),
        ("spot-loss", 0.05, "nodes lost in an hour, as a share"),
        ("overhead", 0.05, "of the engine and the store, as a share of coloring"),
        ("read-mb", 8.0, "of a photo"),
        ("written-mb", 12.0, "of a result"),
        ("core-hour", 0.05, "dollars, on demand"),
        ("spot-core-hour", 0.02, "dollars"),
        ("put-1000", 0.005, "dollars, also for listing"),
        ("get-1000", 0.0004, "dollars"),
        ("gb-month", 0.023, "dollars, of storing the results"),
    ):
        group.add_argument(f"--{name}", type=type(default), default=default, help=about)
    options = parser.parse_args()
    if unknown := set(options.what) - set(what):
        parser.error(f"unknown: {' '.join(unknown)}; there are {' '.join(what)}")
    for name in options.what or ["plan"]:
        with tempfile.TemporaryDirectory() as folder:
            what[name](options, Path(folder))


def engines(options: argparse.Namespace, folder: Path) -> None:
    from colorizer.support.stores import Store

    server, environment = start_server()
    os.environ |= environment
    try:
        source = Store("s3://photos-in")
        source.fs.mkdir("photos-in")
        source.fs.mkdir("photos-out")
        photos = make_photos(options.count, options.megapixels)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda item: source.write(*item), photos.items()))
        alone, expected = color_alone(photos, options.model)
        rate = options.count / alone
        print(
            f"{'engine':>18} {'per CPU s':>9} {'overhead':>9} {'per s':>9} {'start CPU s':>11} "
            f"{'start s':>9} {'memory MB':>9}"
        )
        print(f"{'no store':>18} {rate:>9.2f}")
        command = [sys.executable, "-m", "colorizer.cli", "colorize"]
        threads = ["--model", options.model, "--threads", "1"]
        ray = [*threads, "--engine", "ray", "--workers", str(options.workers)]
        ways = {
            f"local, {options.workers} workers": [[*threads, "--workers", str(options.workers)]],
            "two processes": [[*threads, "--workers", "1", "--shard", f"{i}/2"] for i in (1, 2)],
            f"Ray, {options.workers} workers": [ray],
        }
        few = options.count // 10  # a folder of them: from both runs follows what starting takes
        for number, (way, calls) in enumerate(ways.items()):
            out = f"s3://photos-out/{number}"
            start, began, _ = watch(
                [[*command, "s3://photos-in/0", "-o", f"{out}-few", *c] for c in calls]
            )
            spent, took, memory = watch(
                [[*command, "s3://photos-in", "-o", out, *c] for c in calls]
            )
            result = Store(out)
            found = [name for name, _ in result.find() if not name.startswith("report/")]
            same = sum(result.fs.cat_file(result.address(n)) == expected[n] for n in found)
            each = (spent - start) / (options.count - few)
            wall = (took - began) / (options.count - few)
            figures = f"{1 / each:>9.2f} {each * rate - 1:>9.1%} {1 / wall:>9.2f} "
            figures += f"{start - few * each:>11.1f} {began - few * wall:>9.1f}"
            told = "" if same == options.count else f"  only {same} are the same bytes"
            print(f"{way:>18} {figures} {memory:>9.0f}{told}", flush=True)
    finally:
        server.kill()


def start_server() -> tuple[subprocess.Popen[bytes], dict[str, str]]:
    """moto's S3 on the loopback, in a process of its own; and the variables that lead to it."""
    code = (
        "import time; from moto.server import ThreadedMotoServer as S; s = S('127.0.0.1', 0,"
        " verbose=False); s.start(); print(*s.get_host_and_port(), flush=True); time.sleep(1e6)"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    host, port = server.stdout.readline().decode().split()
    told = {"ENDPOINT_URL": f"http://{host}:{port}", "KEY": "key", "SECRET": "secret"}
    return server, {f"FSSPEC_S3_{name}": value for name, value in told.items()} | {
        "AWS_DEFAULT_REGION": "us-east-1",
        "PYTHONPATH": str(ROOT),
        "RAY_worker_niceness": "0",
    }


def make_photos(count: int, megapixels: float) -> dict[str, bytes]:
    """Gray JPEG files, each different."""
    import io

    from PIL import Image

    with Image.open(ROOT / "samples" / "astronaut.jpg") as sample:
        side = max(32, round((1e6 * megapixels) ** 0.5))
        gray = sample.convert("L").resize((side, side))
    photos = {}
    for i in range(count):
        shifted = Image.fromarray(np.roll(np.asarray(gray), i, 1))
        shifted.save(file := io.BytesIO(), "JPEG", quality=90)
        photos[f"{i % 10}/{i:05d}.jpg"] = file.getvalue()
    return photos


def color_alone(photos: dict[str, bytes], model: str) -> tuple[float, dict[str, bytes]]:
    """CPU seconds of coloring alone, on one thread; and what it gives."""
    from colorizer import Colorizer

    colorizer = Colorizer(model, threads=1)
    colorizer.colorize_bytes(next(iter(photos.values())), ".jpg")
    start = time.process_time()
    colored = {name: colorizer.colorize_bytes(data, ".jpg")[0] for name, data in photos.items()}
    return time.process_time() - start, colored


def watch(commands: list[list[str]]) -> tuple[float, float, float]:
    """CPU seconds, seconds and megabytes of these processes and of all that they start."""
    import psutil

    begun = time.perf_counter()
    processes = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
        for command in commands
    ]
    spent: dict[tuple[int, float], float] = {}
    peak = 0.0
    while any(process.poll() is None for process in processes):
        memory = 0.0
        for process in processes:
            try:
                parent = psutil.Process(process.pid)
                for one in [parent, *parent.children(recursive=True)]:
                    times = one.cpu_times()
                    spent[one.pid, one.create_time()] = times.user + times.system
                    memory += one.memory_full_info().pss / 1e6
            except psutil.Error:
                continue
        peak = max(peak, memory)
        time.sleep(0.25)
    if any(process.returncode for process in processes):
        raise SystemExit(f"coloring failed with {[p.returncode for p in processes]}")
    return sum(spent.values()), time.perf_counter() - begun, peak


def kills(options: argparse.Namespace, folder: Path) -> None:
    command = [sys.executable, "-m", "tests.places.kill_and_resume", options.model, str(folder)]
    done = subprocess.run(
        [*command, str(options.count), str(options.kills)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    print(json.loads(done.stdout))


def plan(options: argparse.Namespace, folder: Path) -> None:
    o = options
    nodes = o.cores // o.node_cores
    hours = o.photos * o.cpu_seconds * (1 + o.overhead) / 3600
    listed = 2 * (o.photos / 1000 + 1000)  # what is done is listed, and so is the input
    parts = hours * 3600 / o.cores / 30 * o.cores / o.node_cores  # one each 30 s and process
    requests = o.photos * o.put_1000 / 1000 + o.photos * o.get_1000 / 1000
    requests += (listed + parts) * o.put_1000 / 1000
    read, written = o.photos * o.read_mb / 1e6, o.photos * o.written_mb / 1e6  # TB
    print(f"core hours             {hours:>12,.0f}")
    print(f"on {o.cores} cores          {hours / o.cores:>12,.1f} hours, were all alike")
    print(f"GET, PUT               {o.photos:>12,} each")
    print(f"LIST, report parts     {listed:>12,.0f}, {parts:,.0f}")
    print(f"read, written          {read:>12,.0f} TB, {written:,.0f} TB")
    rate = (read + written) * 1e12 * 8 / (hours / o.cores * 3600) / 1e9
    print(f"network                {rate:>12,.1f} Gbit/s, {rate / nodes:.2f} a node")
    print(f"compute, on demand     {hours * o.core_hour:>12,.0f} $")
    print(f"requests               {requests:>12,.0f} $")
    print(f"results, for a month   {written * 1000 * o.gb_month:>12,.0f} $")
    print(f"\n{'':>34} {'hours':>7} {'core hours':>11} {'done again':>11} {'$':>8}")
    for way in ("shares", "blocks"):
        for spot in (0.0, o.spot_loss):
            wall, paid, lost = simulate(o, way, spot, np.random.default_rng(0))
            price = o.spot_core_hour if spot else o.core_hour
            told = f"{way}, {'spot' if spot else 'on demand'}"
            print(f"{told:>34} {wall:>7.2f} {paid:>11,.0f} {lost:>11.3%} {paid * price:>8,.0f}")


def simulate(
    o: argparse.Namespace, way: str, loss: float, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Hours until the last photo, core hours that are paid, and photos colored again, as a share.

    Nodes are alike but for slow ones. A node that is lost comes back after five minutes. Shares are
    of a node, and go on from what is there; what its cores had in work is lost. Blocks are of a
    core: a lost one is handed out anew, and done again, whole. Idle nodes are given back.
    """
    nodes = o.cores // o.node_cores
    speed = np.where(rng.random(nodes) < o.slow_nodes, 0.5, 1.0)
    mean = o.cpu_seconds * (1 + o.overhead) / 3600
    scale = mean / np.exp(o.spread**2 / 2)
    if way == "shares":
        counts = rng.multinomial(o.photos, [1 / nodes] * nodes)
        ends, busy, lost = [], 0.0, 0
        for count, fast in zip(counts, speed, strict=True):
            # A sum of many photos is all but normal.
            spread = mean * np.sqrt((np.exp(o.spread**2) - 1) * count)
            left = rng.normal(count * mean, spread) / o.node_cores / fast
            passed = worked = 0.0
            while loss and (alive := rng.exponential(1 / loss)) < left - worked:
                worked += alive - mean / 2 / fast
                passed += alive + BACK
                busy += alive
                lost += o.node_cores
            passed += left - worked
            busy += left - worked
            ends.append(passed)
        return max(ends), busy * o.node_cores, lost / o.photos
    size = max(1, min(32, o.photos // 200), -(-o.photos // 100_000))
    blocks = -(-o.photos // size)
    spread = scale * np.sqrt((np.exp(o.spread**2) - 1) * np.exp(o.spread**2) * size)
    left = list(rng.normal(size * mean, spread, blocks))
    dies = rng.exponential(1 / loss, nodes) if loss else np.full(nodes, np.inf)
    free = [(0.0, core) for core in range(nodes * o.node_cores)]
    heapq.heapify(free)
    paid, lost, end = 0.0, 0, 0.0
    while left:
        now, core = heapq.heappop(free)
        node = core // o.node_cores
        while now >= dies[node] + BACK:
            dies[node] += BACK + rng.exponential(1 / loss)
        if now >= dies[node]:
            heapq.heappush(free, (dies[node] + BACK, core))
            continue
        work = left.pop()
        takes = work / speed[node]
        if now + takes > dies[node]:
            left.append(work)
            lost += size
            paid += max(0.0, dies[node] - now)
            heapq.heappush(free, (dies[node] + BACK, core))
            continue
        paid += takes
        end = max(end, now + takes)
        heapq.heappush(free, (now + takes, core))
    return end, paid, lost / o.photos


if __name__ == "__main__":
    main()
