//! The one binary: subcommands wire the rooms together.

fn main() {}
