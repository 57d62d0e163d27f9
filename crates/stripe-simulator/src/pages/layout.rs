//! What every page has: its head, the banner that says SIMULATOR, landmarks, and forms that carry
//! the token without which no page takes a post.

use crate::pages::html::{Element, element, link, paragraph, span};

/// The one stylesheet, served beside the pages: their policy allows no style within them.
pub const STYLE: &str = include_str!("style.css");

pub const STYLE_PATH: &str = "/simulator/style.css";

/// The name of the field that carries the token.
pub const TOKEN: &str = "token";

/// A whole document. `notice` is what came of the last click.
pub fn document(title: &str, notice: Option<Notice>, content: Vec<Element>) -> String {
    let head = element("head")
        .child(element("meta").attr("charset", "utf-8"))
        .child(
            element("meta")
                .attr("name", "viewport")
                .attr("content", "width=device-width, initial-scale=1"),
        )
        .child(element("meta").attr("name", "robots").attr("content", "noindex"))
        .child(element("title").text(format!("{title} · Simulator")))
        .child(element("link").attr("rel", "stylesheet").attr("href", STYLE_PATH));
    let banner = element("header")
        .child(element("strong").text("SIMULATOR"))
        .child(span("No money moves. No card is real."))
        .child(link("/simulator#happened", "All that happened"));
    let main = element("main")
        .child(element("h1").text(title))
        .children(notice.map(Notice::shown))
        .children(content);
    let body = element("body").child(banner).child(main);
    let page = element("html").attr("lang", "en").child(head).child(body);
    format!("<!doctype html>\n{page}\n")
}

/// What came of a click, told once at the top of the page.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Notice {
    Success(String),
    Failed(String),
}

impl Notice {
    fn shown(self) -> Element {
        match self {
            Self::Success(what) => paragraph(what).class("done").attr("role", "status"),
            Self::Failed(what) => paragraph(what).class("failed").attr("role", "alert"),
        }
    }
}

/// A form that posts to a path of ours.
pub fn form(path: &str, token: &str) -> Element {
    element("form").attr("method", "post").attr("action", path).child(hidden(TOKEN, token))
}

pub fn hidden(name: &'static str, value: &str) -> Element {
    element("input").attr("type", "hidden").attr("name", name).attr("value", value)
}

/// A group of fields with its name.
pub fn fieldset(legend: &str) -> Element {
    element("fieldset").child(element("legend").text(legend))
}

/// A field with its label. `kind` is the `type` of the input.
pub fn field(name: &str, kind: &'static str, label: &str, value: &str) -> Element {
    labelled(label, input(name, kind, value))
}

/// The same, with what the browser may fill in by itself.
pub fn filled_in(
    name: &str,
    kind: &'static str,
    label: &str,
    value: &str,
    autocomplete: &'static str,
) -> Element {
    labelled(label, input(name, kind, value).attr("autocomplete", autocomplete))
}

pub fn labelled(label: &str, control: Element) -> Element {
    element("label").child(span(label)).child(control)
}

pub fn input(name: &str, kind: &'static str, value: &str) -> Element {
    element("input").attr("type", kind).attr("name", name).attr("value", value)
}

pub fn checkbox(name: &str, label: &str, checked: bool) -> Element {
    let input = input(name, "checkbox", "on").flag("checked", checked);
    element("label").class("check").child(input).child(span(label))
}

/// One of several choices: value, label.
pub fn choice(name: &str, label: &str, choices: &[(String, String)], chosen: &str) -> Element {
    let options = choices.iter().map(|(value, label)| {
        let option = element("option").attr("value", value).text(label);
        option.flag("selected", value == chosen)
    });
    labelled(label, element("select").attr("name", name).children(options))
}

/// A button; several in one form say which of them was pressed by name and value.
pub fn button(name: &'static str, value: &str, label: &str) -> Element {
    element("button").attr("name", name).attr("value", value).text(label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::html::paragraph;

    #[test]
    fn every_page_says_that_it_is_a_simulator() {
        let page = document("Pay", None, vec![paragraph("<b>")]);
        assert!(page.starts_with("<!doctype html>\n<html lang=\"en\"><head>"), "{page}");
        assert!(page.contains("<title>Pay · Simulator</title>"));
        assert!(page.contains("<strong>SIMULATOR</strong>"));
        assert!(page.contains("<main><h1>Pay</h1><p>&lt;b&gt;</p></main>"));
    }

    #[test]
    fn what_failed_is_announced_to_those_who_hear_the_page() {
        let failed = Notice::Failed("Your card was declined.".to_owned());
        let page = document("Pay", Some(failed), Vec::new());
        assert!(page.contains("<p class=\"failed\" role=\"alert\">Your card was declined.</p>"));
    }

    #[test]
    fn a_form_carries_the_token() {
        let form = form("/simulator/x", "secret").to_string();
        assert!(form.contains("<input type=\"hidden\" name=\"token\" value=\"secret\">"), "{form}");
    }

    #[test]
    fn the_stylesheet_is_small_and_asks_for_nothing_else() {
        assert!(STYLE.len() < 4_096);
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
    }
}
