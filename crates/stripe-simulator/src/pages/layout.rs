//! Parts of all pages: head, SIMULATOR banner, tables, and forms with the token for posts.
//!
//! maud escapes every text and value. No page has a script.

use maud::{DOCTYPE, Markup, html};

/// The stylesheet. It is a separate file, because the pages' policy forbids inline styles.
pub const STYLE: &str = include_str!("style.css");

pub const STYLE_PATH: &str = "/simulator/style.css";

/// The name of the field that carries the token.
pub const TOKEN: &str = "token";

/// Renders a page. `notice` is the result of the last action.
pub fn document(title: &str, notice: Option<Notice>, content: Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) " · Simulator" }
                link rel="stylesheet" href=(STYLE_PATH);
            }
            body {
                header {
                    strong { "SIMULATOR" }
                    span { "No money moves. No card is real." }
                    a href="/simulator#events" { "Events" }
                }
                main {
                    h1 { (title) }
                    @if let Some(notice) = notice { (notice.shown()) }
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
    fn shown(self) -> Markup {
        match self {
            Self::Success(message) => html! { p.done role="status" { (message) } },
            Self::Failed(message) => html! { p.failed role="alert" { (message) } },
        }
    }
}

/// A link. The caller of the API chose the address, so other schemes, such as `javascript:`, are
/// not linked.
pub fn link(address: &str, label: &str) -> Markup {
    let leads = ["http://", "https://", "/"].iter().any(|start| address.starts_with(start));
    html! { a href=[leads.then_some(address)] { (label) } }
}

/// A table with column heads, and a caption for screen readers.
pub fn table(caption: &str, heads: &[&str], rows: &[Vec<Markup>]) -> Markup {
    html! {
        // A wide table scrolls by itself. `tabindex` allows scrolling by keyboard.
        div.scrolls tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr { @for head in heads { th scope="col" { (head) } } } }
                tbody {
                    @for cells in rows { tr { @for cell in cells { td { (cell) } } } }
                }
            }
        }
    }
}

pub fn span(text: &str) -> Markup {
    html! { span { (text) } }
}

/// An amount of money, which does not wrap.
pub fn sum(text: &str) -> Markup {
    html! { span.sum { (text) } }
}

pub fn code(text: &str) -> Markup {
    html! { code { (text) } }
}

/// A form with the token, which posts to one of our paths.
pub fn form(path: &str, token: &str, content: Markup) -> Markup {
    html! { form method="post" action=(path) { (hidden(TOKEN, token)) (content) } }
}

pub fn hidden(name: &str, value: &str) -> Markup {
    input(name, "hidden", value)
}

fn input(name: &str, kind: &str, value: &str) -> Markup {
    html! { input type=(kind) name=(name) value=(value); }
}

/// A group of fields with a legend.
pub fn fieldset(legend: &str, content: Markup) -> Markup {
    html! { fieldset { legend { (legend) } (content) } }
}

/// A field with its label. `kind` is the `type` of the input.
pub fn field(name: &str, kind: &str, label: &str, value: &str) -> Markup {
    labelled(label, input(name, kind, value))
}

/// A field with an `autocomplete` value.
pub fn filled_in(name: &str, kind: &str, label: &str, value: &str, autocomplete: &str) -> Markup {
    let input = html! {
        input type=(kind) name=(name) value=(value) autocomplete=(autocomplete);
    };
    labelled(label, input)
}

pub fn labelled(label: &str, control: Markup) -> Markup {
    html! { label { span { (label) } (control) } }
}

pub fn checkbox(name: &str, label: &str, checked: bool) -> Markup {
    html! {
        label.check {
            input type="checkbox" name=(name) value="on" checked[checked];
            span { (label) }
        }
    }
}

/// A select with (value, label) choices.
pub fn choice(name: &str, label: &str, choices: &[(String, String)], chosen: &str) -> Markup {
    let select = html! {
        select name=(name) {
            @for (value, label) in choices {
                option value=(value) selected[value == chosen] { (label) }
            }
        }
    };
    labelled(label, select)
}

/// A submit button. Its name and value identify it among several buttons of a form.
pub fn button(name: &str, value: &str, label: &str) -> Markup {
    html! { button name=(name) value=(value) { (label) } }
}

/// The primary submit button of a page.
pub fn main_button(name: &str, value: &str, label: &str) -> Markup {
    html! { button name=(name) value=(value) class="main" { (label) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_marked_as_a_simulator() {
        let page = document("Pay", None, html! { p { "<b>" } });
        assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\"><head>"), "{page}");
        assert!(page.contains("<title>Pay · Simulator</title>"));
        assert!(page.contains("<strong>SIMULATOR</strong>"));
        assert!(page.contains("<main><h1>Pay</h1><p>&lt;b&gt;</p></main>"));
    }

    #[test]
    fn a_failure_is_announced_to_screen_readers() {
        let failed = Notice::Failed("Your card was declined.".to_owned());
        let page = document("Pay", Some(failed), html! {});
        assert!(page.contains("<p class=\"failed\" role=\"alert\">Your card was declined.</p>"));
    }

    #[test]
    fn a_form_carries_the_token() {
        let form = form("/simulator/x", "secret", html! {}).into_string();
        assert!(form.contains("<input type=\"hidden\" name=\"token\" value=\"secret\">"), "{form}");
    }

    #[test]
    fn the_stylesheet_is_small_and_loads_nothing_else() {
        assert!(STYLE.len() < 4_096);
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
    }

    #[test]
    fn typed_text_is_escaped() {
        let hostile = "<script>alert('1')</script>\" onload=\"x & y";
        let escaped = "&lt;script&gt;alert('1')&lt;/script&gt;&quot; onload=&quot;x &amp; y";
        let shown = html! { p title=(hostile) { (hostile) } }.into_string();
        assert_eq!(shown, format!("<p title=\"{escaped}\">{escaped}</p>"));
    }

    #[test]
    fn a_void_element_has_no_end_tag() {
        let field = html! { input name="email" required[true] disabled[false]; };
        assert_eq!(field.into_string(), "<input name=\"email\" required>");
    }

    #[test]
    fn only_http_addresses_are_linked() {
        for (address, expected) in [
            ("https://app.example/?a=1&b=2", "<a href=\"https://app.example/?a=1&amp;b=2\">x</a>"),
            ("/simulator", "<a href=\"/simulator\">x</a>"),
            ("javascript:alert(1)", "<a>x</a>"),
            ("data:text/html,x", "<a>x</a>"),
        ] {
            assert_eq!(link(address, "x").into_string(), expected);
        }
    }
}
