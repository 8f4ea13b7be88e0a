//! Which licences let anybody use a model.

/// Content licences that, like the software licences approved by the Open Source Initiative or called free by the Free
/// Software Foundation, allow any use: of those that models are published under.
const OPEN_CONTENT: [&str; 7] =
    ["CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "PDDL-1.0", "ODC-By-1.0"];

/// Whether a licence, an SPDX expression, lets anybody use the model for any purpose: open-source and free-software
/// licences, and content licences without "no derivatives" or "no commercial use". What is no SPDX expression is not: we
/// do not read contracts.
pub fn is_open(licence: &str) -> bool {
    spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX).is_ok_and(|expression| {
        expression.evaluate(|requirement| {
            requirement.license.id().is_some_and(|id| {
                id.is_osi_approved() || id.is_fsf_free_libre() || OPEN_CONTENT.contains(&id.name)
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_anybody_may_use_is_open() {
        for licence in
            ["MIT", "Apache-2.0", "BSD-2-Clause", "CC-BY-4.0", "MIT OR Apache-2.0", "Apache-2.0 AND MIT"]
        {
            assert!(is_open(licence), "{licence}");
        }
    }

    #[test]
    fn what_is_for_some_or_unknown_is_not() {
        let closed = [
            "",
            "proprietary",
            "CC-BY-NC-4.0",
            "CC-BY-ND-4.0",
            "MIT AND CC-BY-NC-4.0",
            "LicenseRef-EULA",
            "free!",
        ];
        for licence in closed {
            assert!(!is_open(licence), "{licence}");
        }
        assert!(is_open("MIT OR CC-BY-NC-4.0"));
    }
}
