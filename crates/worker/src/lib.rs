//! The node side: claims jobs over HTTP, fetches audio, runs models in the sandbox, reports.
