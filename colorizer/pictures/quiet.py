"""Keep the libraries beneath from writing to stderr: what matters arrives as an exception."""

import atexit

__all__ = ["silence"]

_DOMAINS = (b"VIPS", b"GLib", b"GLib-GObject")
_LEVELS = 0b11111000  # of GLib: critical, warning, message, info, debug; errors are fatal
_held: list[object] = []  # what C points to must not be collected


def silence() -> None:
    """Drop the log of libvips and GLib in this process: for a program, not for a library.

    GLib prints some of it on stderr, past Python; and pyvips, which passes the rest to `logging`,
    fails at what is no UTF-8, as in damaged files.
    """
    import pyvips

    if _held:
        return
    drop = pyvips.ffi.callback("GLogFunc", lambda *message: None)
    _held.append(drop)
    for domain in _DOMAINS:
        number = pyvips.glib_lib.g_log_set_handler(domain, _LEVELS, drop, pyvips.ffi.NULL)
        atexit.register(pyvips.glib_lib.g_log_remove_handler, domain, number)
