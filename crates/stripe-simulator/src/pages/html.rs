//! HTML as a tree, so that nothing a customer typed can become markup: names of elements and
//! attributes are constants, and every text and value is escaped when the tree is written out.
//!
//! There is no way to put in markup as it is, and no script: the pages have none.

use std::fmt;

/// Elements that have neither content nor an end.
const VOID: [&str; 4] = ["hr", "input", "link", "meta"];

#[derive(Clone, Debug)]
pub struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, Option<String>)>,
    children: Vec<Node>,
}

#[derive(Clone, Debug)]
enum Node {
    Element(Element),
    Text(String),
}

pub fn element(name: &'static str) -> Element {
    Element { name, attributes: Vec::new(), children: Vec::new() }
}

impl Element {
    pub fn attr(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((name, Some(value.into())));
        self
    }

    /// An attribute that says all by being there, like `required`.
    pub fn flag(mut self, name: &'static str, there: bool) -> Self {
        if there {
            self.attributes.push((name, None));
        }
        self
    }

    pub fn class(self, class: &'static str) -> Self {
        self.attr("class", class)
    }

    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.children.push(Node::Text(text.into()));
        self
    }

    pub fn child(mut self, child: Self) -> Self {
        self.children.push(Node::Element(child));
        self
    }

    /// None, one (`Option`) or several.
    pub fn children(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children.into_iter().map(Node::Element));
        self
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}", self.name)?;
        for (name, value) in &self.attributes {
            write!(f, " {name}")?;
            if let Some(value) = value {
                f.write_str("=\"")?;
                escape(f, value)?;
                f.write_str("\"")?;
            }
        }
        f.write_str(">")?;
        if VOID.contains(&self.name) {
            return Ok(());
        }
        for child in &self.children {
            match child {
                Node::Element(element) => write!(f, "{element}")?,
                Node::Text(text) => escape(f, text)?,
            }
        }
        write!(f, "</{}>", self.name)
    }
}

fn escape(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for letter in text.chars() {
        match letter {
            '&' => f.write_str("&amp;")?,
            '<' => f.write_str("&lt;")?,
            '>' => f.write_str("&gt;")?,
            '"' => f.write_str("&quot;")?,
            '\'' => f.write_str("&#39;")?,
            letter => fmt::Write::write_char(f, letter)?,
        }
    }
    Ok(())
}

pub fn paragraph(text: impl Into<String>) -> Element {
    element("p").text(text)
}

pub fn heading(text: impl Into<String>) -> Element {
    element("h2").text(text)
}

/// A link to a page. Whoever made the object chose the address: one that is no page of the web,
/// like `javascript:`, leads nowhere.
pub fn link(address: &str, text: impl Into<String>) -> Element {
    let leads = ["http://", "https://", "/"].iter().any(|start| address.starts_with(start));
    let link = element("a").text(text);
    if leads { link.attr("href", address) } else { link }
}

/// A table with a caption for those who hear it and column heads.
pub fn table(caption: &str, heads: &[&str], rows: Vec<Vec<Element>>) -> Element {
    let heads = heads.iter().map(|head| element("th").attr("scope", "col").text(*head));
    let rows = rows.into_iter().map(|cells| {
        let cells = cells.into_iter().map(|cell| element("td").child(cell));
        element("tr").children(cells)
    });
    let table = element("table")
        .child(element("caption").text(caption))
        .child(element("thead").child(element("tr").children(heads)))
        .child(element("tbody").children(rows));
    // A wide table scrolls by itself, and can be reached by keyboard to do so.
    let scrolls = element("div").class("scrolls").attr("tabindex", "0");
    scrolls.attr("role", "region").attr("aria-label", caption).child(table)
}

pub fn span(text: impl Into<String>) -> Element {
    element("span").text(text)
}

/// An amount of money, which stays on its line.
pub fn sum(text: impl Into<String>) -> Element {
    span(text).class("sum")
}

pub fn code(text: impl Into<String>) -> Element {
    element("code").text(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_customer_typed_is_never_markup() {
        let hostile = "<script>alert('1')</script>\" onload=\"x & y";
        let escaped =
            "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot; onload=&quot;x &amp; y";
        let shown = element("p").attr("title", hostile).text(hostile).to_string();
        assert_eq!(shown, format!("<p title=\"{escaped}\">{escaped}</p>"));
    }

    #[test]
    fn an_empty_element_has_no_end() {
        let field = element("input").attr("name", "email").flag("required", true);
        assert_eq!(field.flag("disabled", false).to_string(), "<input name=\"email\" required>");
    }

    #[test]
    fn only_pages_of_the_web_are_linked() {
        for (address, expected) in [
            ("https://app.example/?a=1&b=2", "<a href=\"https://app.example/?a=1&amp;b=2\">x</a>"),
            ("/simulator", "<a href=\"/simulator\">x</a>"),
            ("javascript:alert(1)", "<a>x</a>"),
            ("data:text/html,x", "<a>x</a>"),
        ] {
            assert_eq!(link(address, "x").to_string(), expected);
        }
    }
}
