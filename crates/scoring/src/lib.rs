//! Reference and hypothesis text in; error counts, rates, intervals and ranks out. Pure: no I/O, no async.
