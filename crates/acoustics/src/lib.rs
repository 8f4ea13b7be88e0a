//! Rooms, materials, sources and microphones in; room impulse responses out. Pure: no I/O, no async.
