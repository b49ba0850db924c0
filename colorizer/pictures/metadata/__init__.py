"""What files say beside their pixels: each kind is read, made to fit, and written."""
