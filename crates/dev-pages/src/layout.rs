//! The frame of every page: head, banner, navigation, title, and the result of the last action.
//!
//! maud escapes every text and value.

use maud::{DOCTYPE, Markup, html};

use crate::navigation;

/// A group of pages with one banner, such as the simulator's.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Follows the page's own title in the browser's tab.
    pub name: &'static str,
    /// The first word of the banner.
    pub mark: &'static str,
    /// The rest of the banner: one sentence.
    pub note: &'static str,
    /// The path below which the section serves the style sheet, the script and the icon.
    pub root: &'static str,
}

/// Renders a page. `notice` is the result of the last action.
pub fn document(
    section: &Section,
    title: &str,
    notice: Option<Notice>,
    content: &Markup,
) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) " · " (section.name) }
                link rel="stylesheet" href={ (section.root) "/style.css" };
                link rel="icon" type="image/svg+xml" href={ (section.root) "/icon.svg" };
                script src={ (section.root) "/copy.js" } defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    div.bar {
                        p.banner { strong { (section.mark) } " " span { (section.note) } }
                        (navigation::view())
                    }
                }
                main id="main" tabindex="-1" {
                    h1 { (title) }
                    @if let Some(notice) = notice { (notice.view()) }
                    (content)
                }
            }
        }
    };
    page.into_string()
}

/// The result of an action, shown at the top of the page.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Notice {
    Success(String),
    Failed(String),
}

impl Notice {
    fn view(self) -> Markup {
        match self {
            Self::Success(message) => html! { p.done role="status" { (message) } },
            Self::Failed(message) => html! { p.failed role="alert" { (message) } },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECTION: Section =
        Section { name: "Shop", mark: "TEST", note: "Nothing is real.", root: "/shop" };

    #[test]
    fn every_page_has_a_banner_a_skip_link_and_a_main_part() {
        let page = document(&SECTION, "Pay", None, &html! { p { "<b>" } });
        assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\"><head>"), "{page}");
        for part in [
            "<title>Pay · Shop</title>",
            "href=\"/shop/style.css\"",
            "href=\"/shop/icon.svg\"",
            "<script src=\"/shop/copy.js\" defer></script>",
            "<a class=\"skip\" href=\"#main\">",
            "<strong>TEST</strong> <span>Nothing is real.</span>",
            "<main id=\"main\" tabindex=\"-1\"><h1>Pay</h1><p>&lt;b&gt;</p></main>",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
    }

    #[test]
    fn a_failure_is_announced_to_screen_readers() {
        let failed = Notice::Failed("Your card was declined.".to_owned());
        let page = document(&SECTION, "Pay", Some(failed), &html! {});
        assert!(page.contains("<p class=\"failed\" role=\"alert\">Your card was declined.</p>"));
    }
}
