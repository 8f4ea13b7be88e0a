//! The runtimes this service accepts submissions for: their declarations, compiled in.

use std::sync::LazyLock;

use protocol::RuntimeDeclaration;

/// One `runtime.toml` a runtime.
const DECLARATIONS: [&str; 1] = [include_str!("../../../deploy/runtimes/pocketsphinx/runtime.toml")];

static RUNTIMES: LazyLock<Vec<RuntimeDeclaration>> = LazyLock::new(|| {
    // A test below reads every declaration, so nothing is left out here.
    DECLARATIONS.iter().filter_map(|text| toml::from_str(text).ok()).collect()
});

/// All runtimes.
pub(crate) fn all() -> &'static [RuntimeDeclaration] {
    &RUNTIMES
}

/// The runtime of this name.
pub(crate) fn find(name: &str) -> Option<&'static RuntimeDeclaration> {
    RUNTIMES.iter().find(|runtime| runtime.name == name)
}

/// Their names.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    RUNTIMES.iter().map(|runtime| runtime.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_declaration_can_be_read() {
        for text in DECLARATIONS {
            toml::from_str::<RuntimeDeclaration>(text).unwrap();
        }
        assert_eq!(all().len(), DECLARATIONS.len());
    }
}
