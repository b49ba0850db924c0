"""Many pictures: which ones, side by side within a bound on memory, with a report."""
