//! The links at the top of every page.
//!
//! The server that joins the pages knows which of them exist, and sets their links for a whole
//! router. The pages themselves do not know each other.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use maud::{Markup, html};

/// A link of the navigation.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    pub label: &'static str,
    /// The page's path. Pages below it belong to the same link.
    pub path: &'static str,
}

/// The links, and the path of the page that is rendered.
#[derive(Clone, Debug)]
struct Shown {
    links: Arc<[Link]>,
    path: String,
}

tokio::task_local! {
    static SHOWN: Shown;
}

/// Shows these links on every page of a router, unless an outer router shows others.
pub fn with_links(router: Router, links: impl Into<Arc<[Link]>>) -> Router {
    let links = links.into();
    router.layer(from_fn(move |request: Request, next: Next| {
        let links = Arc::clone(&links);
        async move {
            if SHOWN.try_with(|_| ()).is_ok() {
                return next.run(request).await;
            }
            let shown = Shown { links, path: request.uri().path().to_owned() };
            SHOWN.scope(shown, next.run(request)).await
        }
    }))
}

/// Renders the links of the current request; nothing outside `with_links`.
pub(crate) fn view() -> Markup {
    let Ok(shown) = SHOWN.try_with(Clone::clone) else { return html! {} };
    let current = shown.links.iter().filter(|link| is_at(link.path, &shown.path));
    let current = current.map(|link| link.path).max_by_key(|path| path.len());
    html! {
        nav aria-label="Pages" {
            ul {
                @for link in shown.links.iter() {
                    @let mark = current.filter(|path| *path == link.path).map(|_| "page");
                    li { a href=(link.path) aria-current=[mark] { (link.label) } }
                }
            }
        }
    }
}

/// Whether the page at `path` is the link's page or below it. `/` has no pages below it.
fn is_at(link: &str, path: &str) -> bool {
    let below = path.strip_prefix(link);
    below.is_some_and(|rest| rest.is_empty() || link != "/" && rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_belongs_to_the_link_above_it() {
        assert!(is_at("/", "/") && is_at("/mail", "/mail") && is_at("/mail", "/mail/7"));
        assert!(!is_at("/", "/mail") && !is_at("/mail", "/mailbox") && !is_at("/mail", "/"));
    }

    #[tokio::test]
    async fn the_current_page_is_marked() {
        let links = [("Home", "/"), ("Mail", "/mail")];
        let links: Vec<_> = links.map(|(label, path)| Link { label, path }).into();
        let shown = Shown { links: links.into(), path: "/mail/7".to_owned() };
        let nav = SHOWN.scope(shown, async { view().into_string() }).await;
        assert!(nav.contains("<a href=\"/mail\" aria-current=\"page\">Mail</a>"), "{nav}");
        assert!(nav.contains("<a href=\"/\">Home</a>"), "{nav}");
        assert_eq!(view().into_string(), "");
    }
}
