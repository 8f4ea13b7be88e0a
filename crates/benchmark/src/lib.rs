//! What a release is: corpora, rooms, tracks, recipes and manifests; building and verifying one.
