//! The simulator's frame around each page, and forms with the token for posts.
//!
//! maud escapes every text and value. Every page works without a script.

pub use dev_pages::Notice;
use dev_pages::Section;
use maud::{Markup, html};

/// The banner of the simulator's pages.
pub const SECTION: Section = Section {
    name: "Simulator",
    mark: "SIMULATOR",
    note: "No money moves. No card is real.",
    root: "/simulator",
};

/// The name of the field that carries the token.
pub const TOKEN: &str = "token";

/// Renders a page. `notice` is the result of the last action.
pub fn document(title: &str, notice: Option<Notice>, content: &Markup) -> String {
    dev_pages::document(&SECTION, title, notice, content)
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

/// Buttons side by side.
pub fn buttons(content: Markup) -> Markup {
    html! { div.buttons { (content) } }
}

/// Fields side by side, as many as fit.
pub fn fields(content: Markup) -> Markup {
    html! { div.fields { (content) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_marked_as_a_simulator() {
        let page = document("Pay", None, &html! {});
        assert!(page.contains("<title>Pay · Simulator</title>"), "{page}");
        assert!(page.contains("<strong>SIMULATOR</strong>"), "{page}");
    }

    #[test]
    fn a_form_carries_the_token() {
        let form = form("/simulator/x", "secret", html! {}).into_string();
        assert!(form.contains("<input type=\"hidden\" name=\"token\" value=\"secret\">"), "{form}");
    }

    #[test]
    fn a_void_element_has_no_end_tag() {
        let field = html! { input name="email" required[true] disabled[false]; };
        assert_eq!(field.into_string(), "<input name=\"email\" required>");
    }
}
