//! Numbers in; themed, accessible SVG out. Pure: no I/O, no async.
