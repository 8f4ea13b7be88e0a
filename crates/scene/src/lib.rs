//! Impulse responses and dry recordings in; far-field audio at a controlled level out. Pure: no I/O, no async.
