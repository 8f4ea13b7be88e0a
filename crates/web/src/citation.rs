//! How to cite a release and a result, in words and as BibTeX. Pure.

use store::releases::Release;

use crate::{
    board::{Board, Row},
    views::{Citation, Estimate},
};

/// A release of the benchmark.
pub(crate) fn of_release(release: &Release, site: &str) -> Citation {
    let name = format!("{}@{}", release.slug, release.version);
    let (year, hash) = (release.frozen_at.year(), &release.manifest_sha256);
    let place = address(site, &format!("/?release={name}"));
    Citation {
        words: format!(
            "FFASR release {name} ({}), {year}. Manifest sha256:{hash}.{}",
            release.title,
            of(place.as_deref())
        ),
        bibtex: entry(
            &format!("ffasr-{}-{}", release.slug, release.version),
            &[
                ("author", "{FFASR}".to_owned()),
                ("title", format!("{{FFASR}}: far-field speech recognition, release {}", tex(&name))),
                ("year", year.to_string()),
                ("note", format!("Manifest sha256:{hash}")),
            ],
            place.as_deref(),
        ),
    }
}

/// One result on a board.
pub(crate) fn of_result(release: &Release, board: &Board, row: &Row, site: &str) -> Citation {
    let name = format!("{}@{}", release.slug, release.version);
    let result = &row.result;
    let (model, organisation) = (&result.manifest.name, &result.manifest.organisation);
    let (year, scorer) = (result.scored_at.year(), &result.scorer);
    let average = row.candidate.average;
    let wer = Estimate::new(average.value, average.interval);
    let interval = wer.interval.map(|it| format!(" ({it})")).unwrap_or_default();
    let measured = format!("Avg WER {} %{interval}", wer.value);
    let place = address(site, &format!("/models/{}", result.submission));
    Citation {
        words: format!(
            "{model} ({organisation}) on FFASR {name}, {}: {measured}, scored by {scorer}, attempt {}, {year}.{}",
            board.hardware_class,
            result.attempt,
            of(place.as_deref())
        ),
        bibtex: entry(
            &format!("ffasr-{}", result.submission),
            &[
                ("author", format!("{{{}}}", tex(organisation))),
                ("title", format!("{{{}}} on {{FFASR}} {}", tex(model), tex(&name))),
                ("year", year.to_string()),
                (
                    "note",
                    format!("{}, scored by {}, attempt {}", tex(&measured), tex(scorer), result.attempt),
                ),
            ],
            place.as_deref(),
        ),
    }
}

fn address(site: &str, path: &str) -> Option<String> {
    (!site.is_empty()).then(|| format!("{site}{path}"))
}

fn of(place: Option<&str>) -> String {
    place.map(|place| format!(" {place}")).unwrap_or_default()
}

fn entry(key: &str, fields: &[(&str, String)], place: Option<&str>) -> String {
    let place = place.map(|place| ("howpublished", format!("\\url{{{place}}}")));
    let fields = fields.iter().map(|(name, value)| (*name, value.clone())).chain(place);
    let lines = [format!("@misc{{{key},")];
    let fields = fields.map(|(name, value)| format!("  {name} = {{{value}}},"));
    lines.into_iter().chain(fields).chain(["}".to_owned()]).collect::<Vec<_>>().join("\n")
}

/// Text as TeX reads it.
fn tex(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str("\\textbackslash{}"),
            '~' => escaped.push_str("\\textasciitilde{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                escaped.push('\\');
                escaped.push(character);
            }
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_to_tex_is_escaped() {
        assert_eq!(
            tex(r"50 % of A&B_{x} \~^"),
            r"50 \% of A\&B\_\{x\} \textbackslash{}\textasciitilde{}\textasciicircum{}"
        );
    }

    #[test]
    fn an_entry_closes_what_it_opens_and_has_an_address_only_where_there_is_one() {
        let fields = [("title", "{FFASR}".to_owned())];
        let with = entry("key", &fields, Some("https://ffasr.example"));
        assert_eq!(
            with,
            "@misc{key,\n  title = {{FFASR}},\n  howpublished = {\\url{https://ffasr.example}},\n}"
        );
        assert!(!entry("key", &fields, None).contains("url"));
    }
}
