//! How users consent: the configuration as it is written, and what it means.

use core::cell::RefCell;
use std::rc::Rc;

use super::super::consent::{Consent, Door};
use super::raw::{RawConsent, RawServer};
use super::servers::{endpoint, is_url};
use crate::config::Problems;
use crate::identity::secret::SealingKeys;
use crate::path;
use crate::time::Duration;

/// Longest time for which a question is open.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// Longest address of a page.
const MAX_PAGE: usize = 1024;

impl RawConsent {
    /// What it means; only good if no problem was added.
    pub(super) fn compile(&self, servers: &[RawServer], problems: &mut Problems) -> Consent {
        if !servers.iter().any(|server| server.consent_page.is_some()) {
            problems.add("no server has a `consentPage`, so there is nothing to send users to. Write one");
        }
        for (name, time) in [("within", self.within), ("refusal", self.refusal), ("retryAfter", self.retry_after)] {
            if time < Duration::from_secs(1) || time > LONGEST {
                problems.field(name, |p| p.add("is from 1s to 24h"));
            }
        }
        Consent {
            door: problems.field("returns", |p| door(&self.returns, p)),
            within: self.within,
            retry_after: self.retry_after,
            refusal: self.refusal,
            tell: self.tell.as_ref().map(|tell| problems.field("tell", |p| endpoint(tell, p))),
            keys: SealingKeys::compile(&self.tickets, self.tickets_from.as_ref(), "consent.tickets", problems),
            calls: Rc::new(RefCell::default()),
        }
    }
}

fn door(url: &str, problems: &mut Problems) -> Door {
    let rest = url.strip_prefix("https://").unwrap_or_default();
    let at = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(at).unwrap_or_default();
    if !is_url(url) || authority.is_empty() || path::split(path.as_bytes()).is_none_or(|(_, query)| query.is_some()) {
        problems.add(format!("`{url}` is not a page of this gate. Write `https://host/path`"));
    }
    Door { url: url.to_owned(), authority: authority.to_ascii_lowercase(), path: path.to_owned() }
}

/// Where the users of a server consent; only good if no problem was added.
pub(super) fn page(server: &RawServer, asks: bool, problems: &mut Problems) -> Option<Rc<str>> {
    let page = server.consent_page.as_deref()?;
    problems.field("consentPage", |problems| {
        let (base, query) = page.split_once('?').unwrap_or((page, ""));
        let plain = |c: u8| c.is_ascii_graphic() && !matches!(c, b'#' | b'"' | b'\\' | b'?');
        if !is_url(base) || !base.starts_with("https://") || !query.bytes().all(plain) || page.len() > MAX_PAGE {
            problems.add(format!("`{page}` is not a page. Write the authorization endpoint, `https://host/path`"));
        }
        if !asks {
            problems.add("nobody is sent there without `consent`. Write it, or take this away");
        }
    });
    Some(page.into())
}
