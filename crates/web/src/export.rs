//! The whole site as plain files that any web server, and a browser without one, can show.
//!
//! A visitor from within follows every link, from the front page on. Links become relative; what needs the service
//! (signing in, submitting, sorting and filtering anew) is marked as such and, where the address of the live site is
//! known, leads there.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::Path,
};

use lol_html::{
    RewriteStrSettings, element,
    html_content::{ContentType, Element},
    rewrite_str,
};
use reqwest::Url;
use sha2::{Digest, Sha256};

use crate::{Service, error::AppError, inside::Visitor};

/// Where the visitor starts. What no page links to is named here.
const SEEDS: [&str; 4] = ["/", "/feed.atom", "/board.txt", "/static/favicon.svg"];
/// What changes with who asks or when, or does something: it stays on the live site.
const LIVE: [&str; 8] =
    ["/login", "/logout", "/submit", "/submissions", "/admin", "/webhooks", "/compare", "/healthz"];
/// Parameters whose values a board has few of; with any other a page stays on the live site.
const KEPT: [&str; 6] = ["release", "hardware", "profile", "for", "scorer", "track"];
/// More than any board has; a page that names itself anew for ever would be noticed.
const MOST: usize = 200_000;

/// What was written.
#[derive(Debug, Default)]
pub struct Exported {
    /// Files.
    pub files: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// Links that led nowhere: page and address.
    pub broken: Vec<(String, String)>,
}

/// Why an export was given up.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The folder holds something already.
    #[error("{0} is not empty; name a new folder")]
    NotEmpty(String),
    /// A file cannot be written.
    #[error("{path} cannot be written: {cause}")]
    Write {
        /// Which.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// The service did not answer as it should.
    #[error("{0}")]
    Asking(String),
}

impl From<AppError> for ExportError {
    fn from(error: AppError) -> Self {
        Self::Asking(error.to_string())
    }
}

/// Writes the site into an empty or a new folder. `live` is the address of the live site, where there is one.
///
/// # Errors
/// When the folder is not empty, a file cannot be written, or the service fails.
pub async fn export(service: &Service, folder: &Path, live: &str) -> Result<Exported, ExportError> {
    let is_empty = std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    if !is_empty {
        return Err(ExportError::NotEmpty(folder.display().to_string()));
    }
    let visitor = Visitor::new(service);
    let mut walk = Walk::default();
    for seed in SEEDS {
        walk.want("", seed);
    }
    let mut answers: BTreeMap<String, (String, Vec<u8>)> = BTreeMap::new();
    let mut exported = Exported::default();
    // First everything is fetched, since the name of a file depends on what kind it is.
    while let Some((from, address)) = walk.next() {
        if answers.len() > MOST {
            return Err(ExportError::Asking(format!("the site has more than {MOST} addresses")));
        }
        let answer = visitor.get(&address).await?;
        if let Some(place) = answer.location {
            walk.redirected(&address, &place);
            continue;
        }
        if !answer.status.is_success() {
            exported.broken.push((from, address.clone()));
            continue;
        }
        if answer.media_type == "text/html" {
            let html = String::from_utf8_lossy(&answer.content);
            for link in links(&html)? {
                walk.want(&address, &link);
            }
        }
        answers.insert(address, (answer.media_type, answer.content));
    }
    let names: BTreeMap<&str, String> =
        answers.iter().map(|(address, (kind, _))| (address.as_str(), file_name(address, kind))).collect();
    let site = Site { names: &names, moved: &walk.moved, live };
    for (address, (kind, content)) in &answers {
        let name = &names[address.as_str()];
        let content = if kind == "text/html" {
            site.rewritten(address, &String::from_utf8_lossy(content))?.into_bytes()
        } else {
            content.clone()
        };
        write(&folder.join(name), &content)?;
        exported.files += 1;
        exported.bytes += content.len() as u64;
    }
    Ok(exported)
}

fn write(path: &Path, content: &[u8]) -> Result<(), ExportError> {
    let failed = |cause| ExportError::Write { path: path.display().to_string(), cause };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(path, content).map_err(failed)
}

/// What is still to be fetched.
#[derive(Default)]
struct Walk {
    seen: BTreeSet<String>,
    /// Page and address.
    waiting: VecDeque<(String, String)>,
    /// Addresses that lead to others.
    moved: BTreeMap<String, String>,
}

impl Walk {
    fn want(&mut self, from: &str, link: &str) {
        if let Target::Here(address, _) = target(from, link)
            && self.seen.insert(address.clone())
        {
            self.waiting.push_back((from.to_owned(), address));
        }
    }

    fn redirected(&mut self, from: &str, place: &str) {
        if let Target::Here(address, _) = target(from, place) {
            self.moved.insert(from.to_owned(), address);
        }
        self.want(from, place);
    }

    fn next(&mut self) -> Option<(String, String)> {
        self.waiting.pop_front()
    }
}

/// Where a link leads.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// To a page of the export, by path and query, with what follows a `#`.
    Here(String, Option<String>),
    /// To something that needs the live site.
    Live(String),
    /// Elsewhere, or within the page.
    Other,
}

fn target(from: &str, link: &str) -> Target {
    if link.starts_with('#') {
        return Target::Other;
    }
    let base = Url::parse("http://site.invalid").and_then(|base| base.join(from));
    let Ok(url) = base.and_then(|base| base.join(link)) else { return Target::Other };
    if url.host_str() != Some("site.invalid") {
        return Target::Other;
    }
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let address = format!("{}{query}", url.path());
    let is_under = |place: &str| url.path() == place || url.path().starts_with(&format!("{place}/"));
    let has_other = url.query_pairs().any(|(key, _)| !KEPT.contains(&&*key));
    if LIVE.iter().any(|place| is_under(place)) || has_other {
        return Target::Live(address);
    }
    Target::Here(address, url.fragment().map(str::to_owned))
}

/// The attributes that name an address.
const ADDRESSES: &str = "[href], [src]";

fn address_of(element: &Element<'_, '_>) -> Option<(&'static str, String)> {
    ["href", "src"].into_iter().find_map(|name| Some((name, element.get_attribute(name)?)))
}

fn unescaped(text: &str) -> String {
    text.replace("&#38;", "&").replace("&amp;", "&").replace("&#39;", "'").replace("&quot;", "\"")
}

fn links(html: &str) -> Result<Vec<String>, ExportError> {
    let found = RefCell::new(Vec::new());
    let collect = element!(ADDRESSES, |element| {
        found.borrow_mut().extend(address_of(element).map(|(_, link)| unescaped(&link)));
        Ok(())
    });
    rewrite(html, vec![collect])?;
    Ok(found.into_inner())
}

type Handler<'h> = (std::borrow::Cow<'h, lol_html::Selector>, lol_html::ElementContentHandlers<'h>);

fn rewrite(html: &str, handlers: Vec<Handler<'_>>) -> Result<String, ExportError> {
    let settings = handlers
        .into_iter()
        .fold(RewriteStrSettings::new(), RewriteStrSettings::append_element_content_handler);
    rewrite_str(html, settings)
        .map_err(|error| ExportError::Asking(format!("a page cannot be read: {error}")))
}

/// The export as a whole: where each address is as a file.
struct Site<'a> {
    names: &'a BTreeMap<&'a str, String>,
    moved: &'a BTreeMap<String, String>,
    live: &'a str,
}

impl Site<'_> {
    fn rewritten(&self, address: &str, html: &str) -> Result<String, ExportError> {
        let own = &self.names[address];
        let links = element!(ADDRESSES, |element| {
            let Some((attribute, link)) = address_of(element) else { return Ok(()) };
            match target(address, &unescaped(&link)) {
                Target::Other => {}
                Target::Here(to, fragment) => match self.file(&to) {
                    Some(file) => {
                        let fragment = fragment.map(|it| format!("#{it}")).unwrap_or_default();
                        element.set_attribute(attribute, &format!("{}{fragment}", relative(own, file)))?;
                    }
                    None => self.only_live(element, attribute, &to)?,
                },
                Target::Live(to) => self.only_live(element, attribute, &to)?,
            }
            Ok(())
        });
        let forms = element!("form", |element| {
            let words = self.words(address, "This form works on the live site");
            element.replace(&format!("<p class=\"aside live-only\">{words}</p>"), ContentType::Html);
            Ok(())
        });
        let banner = element!("body", |element| {
            let words = self.words(address, "This is a copy of the site; what needs the service is marked");
            element.prepend(
                &format!("<aside class=\"banner\" aria-label=\"About this copy\">{words}</aside>"),
                ContentType::Html,
            );
            Ok(())
        });
        rewrite(html, vec![links, forms, banner])
    }

    /// The file of an address, over as many redirections as there are.
    fn file(&self, address: &str) -> Option<&str> {
        let mut address = address;
        for _ in 0..5 {
            if let Some(name) = self.names.get(address) {
                return Some(name);
            }
            address = self.moved.get(address)?;
        }
        None
    }

    fn only_live(
        &self,
        element: &mut Element<'_, '_>,
        attribute: &str,
        to: &str,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        if self.live.is_empty() {
            element.remove_attribute(attribute);
        } else {
            element.set_attribute(attribute, &format!("{}{to}", self.live))?;
        }
        element.set_attribute("data-live-only", "")?;
        element.set_attribute("title", "Only on the live site")?;
        Ok(())
    }

    fn words(&self, address: &str, words: &str) -> String {
        if self.live.is_empty() {
            return format!("{words}.");
        }
        let href = format!("{}{address}", self.live).replace('&', "&amp;").replace('"', "%22");
        format!("{words}: <a href=\"{href}\">this page there</a>.")
    }
}

/// The file of an address: a folder's `index.html` for a page, an ending that fits for anything else.
fn file_name(address: &str, kind: &str) -> String {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let path = path.trim_matches('/');
    let safe = |text: &str| -> String {
        text.chars()
            .map(|it| if it.is_ascii_alphanumeric() || "-._=/@".contains(it) { it } else { '_' })
            .collect()
    };
    let mut name = safe(path);
    if name != path {
        name = format!("{name}-{}", short_hash(path));
    }
    let view = if query.is_empty() {
        String::new()
    } else {
        format!("{}-{}", safe(query).replace('/', "_"), short_hash(query))
    };
    let ending = match kind {
        "text/html" => {
            let page = if view.is_empty() { "index" } else { &view };
            let slash = if name.is_empty() { "" } else { "/" };
            return format!("{name}{slash}{page}.html");
        }
        "application/json" => ".json",
        "text/csv" => ".csv",
        "text/plain" => ".txt",
        "application/vnd.apache.parquet" => ".parquet",
        "image/svg+xml" => ".svg",
        "image/png" => ".png",
        _ => "",
    };
    let stem = name.strip_suffix(ending).unwrap_or(&name);
    let dash = if view.is_empty() { "" } else { "-" };
    format!("{stem}{dash}{view}{ending}")
}

fn short_hash(text: &str) -> String {
    hex::encode(&Sha256::digest(text.as_bytes())[..4])
}

/// One file as seen from the folder of another.
fn relative(from: &str, to: &str) -> String {
    let folders: Vec<&str> = from.split('/').collect();
    let folders = &folders[..folders.len() - 1];
    let parts: Vec<&str> = to.split('/').collect();
    let shared =
        folders.iter().zip(&parts[..parts.len() - 1]).take_while(|(one, other)| one == other).count();
    let up = "../".repeat(folders.len() - shared);
    format!("{up}{}", parts[shared..].join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_seen_from_the_folder_of_another() {
        for (from, to, seen) in [
            ("index.html", "static/a.css", "static/a.css"),
            ("models/1/index.html", "static/a.css", "../../static/a.css"),
            ("models/1/index.html", "models/2/index.html", "../2/index.html"),
            ("models/1/index.html", "models/1/record/index.html", "record/index.html"),
            ("a/b.html", "index.html", "../index.html"),
        ] {
            assert_eq!(relative(from, to), seen, "{from} {to}");
        }
    }

    #[test]
    fn files_have_endings_that_a_web_server_understands_and_no_two_views_share_one() {
        assert_eq!(file_name("/", "text/html"), "index.html");
        assert_eq!(file_name("/models/1", "text/html"), "models/1/index.html");
        assert_eq!(file_name("/static/ffasr.css", "text/css"), "static/ffasr.css");
        assert_eq!(file_name("/api/v1/boards", "application/json"), "api/v1/boards.json");
        assert_eq!(file_name("/feed.atom", "application/atom+xml"), "feed.atom");
        assert_eq!(
            file_name("/api/v1/boards/demo/pareto.svg", "image/svg+xml"),
            "api/v1/boards/demo/pareto.svg"
        );
        let views = ["/?profile=raw", "/?profile=ffasr", "/?for=a%2Fb", "/?for=a_b"];
        let names: BTreeSet<String> = views.iter().map(|view| file_name(view, "text/html")).collect();
        assert_eq!(names.len(), views.len());
        assert!(
            names.iter().all(|name| !name.contains(['?', '%', '&']) && name.strip_suffix(".html").is_some()),
            "{names:?}"
        );
    }

    #[test]
    fn what_needs_the_service_stays_there_and_other_sites_are_left_alone() {
        let here = |address: &str| Target::Here(address.to_owned(), None);
        assert_eq!(target("/models/1?profile=raw", "?profile=ffasr"), here("/models/1?profile=ffasr"));
        assert_eq!(
            target("/", "/method#timing"),
            Target::Here("/method".to_owned(), Some("timing".to_owned()))
        );
        assert_eq!(target("/", "/?sort=rtfx"), Target::Live("/?sort=rtfx".to_owned()));
        assert_eq!(target("/", "/login"), Target::Live("/login".to_owned()));
        assert_eq!(target("/", "https://example.org/"), Target::Other);
        assert_eq!(target("/", "#main"), Target::Other);
    }
}
