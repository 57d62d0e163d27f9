//! Parts of pages: tables, lists of facts, links, and texts with a copy button.

use maud::{Markup, PreEscaped, html};

/// Tables with more columns scroll sideways on a narrow screen.
const MAX_NARROW_COLUMNS: usize = 3;

/// The heading of a table's column. The cells of numbers are aligned on the right.
#[derive(Clone, Copy, Debug)]
pub enum Column<'a> {
    Text(&'a str),
    Number(&'a str),
}

/// A table with column heads, and a caption for screen readers.
pub fn table(caption: &str, columns: &[Column<'_>], rows: &[Vec<Markup>]) -> Markup {
    let is_wide = columns.len() > MAX_NARROW_COLUMNS;
    let class = |column: Option<&Column<'_>>| match column {
        Some(Column::Number(_)) => Some("number"),
        _ => None,
    };
    html! {
        @if is_wide { p.hint { "Scroll the table sideways to see all columns." } }
        // `tabindex` allows scrolling by keyboard.
        div.scrolls.wide[is_wide] tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead {
                    tr {
                        @for column in columns {
                            @let (Column::Text(head) | Column::Number(head)) = column;
                            th scope="col" class=[class(Some(column))] { (head) }
                        }
                    }
                }
                tbody {
                    @for cells in rows {
                        tr {
                            @for (place, cell) in cells.iter().enumerate() {
                                td class=[class(columns.get(place))] { (cell) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Names with their values.
pub fn facts(facts: &[(&str, Markup)]) -> Markup {
    html! {
        dl {
            @for (name, value) in facts { div { dt { (name) } dd { (value) } } }
        }
    }
}

pub fn text(text: &str) -> Markup {
    html! { (text) }
}

/// A time or an amount, which does not wrap.
pub fn unbroken(text: &str) -> Markup {
    html! { span.unbroken { (text) } }
}

/// An id with a copy button.
pub fn id(id: &str) -> Markup {
    html! { span.unbroken { code data-copy { (id) } } }
}

/// Shell commands with a copy button. They are not escaped, so that the page's source can be pasted
/// too: they must not contain a character that HTML requires to be escaped.
pub fn commands(commands: &str) -> Markup {
    html! { div.commands { pre tabindex="0" data-copy { (PreEscaped(commands)) } } }
}

/// Kinds of badges, by colour.
#[derive(Clone, Copy, Debug)]
pub enum Badge {
    Good,
    Neutral,
    Bad,
}

/// A short status in a coloured frame.
pub fn badge(kind: Badge, label: &str) -> Markup {
    let class = match kind {
        Badge::Good => "badge good",
        Badge::Neutral => "badge",
        Badge::Bad => "badge bad",
    };
    html! { span class=(class) { (label) } }
}

/// A link. The address may come from outside, so other schemes, such as `javascript:`, are not
/// linked.
pub fn link(address: &str, label: &str) -> Markup {
    let leads = ["http://", "https://", "/"].iter().any(|start| address.starts_with(start));
    html! { a href=[leads.then_some(address)] { (label) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_aligned_and_wide_tables_say_that_they_scroll() {
        let columns = [Column::Text("Item"), Column::Number("Amount")];
        let narrow = table("Items", &columns, &[vec![text("Pro"), unbroken("$9.99")]]);
        let narrow = narrow.into_string();
        assert!(narrow.contains("<th scope=\"col\" class=\"number\">Amount</th>"), "{narrow}");
        let cell = "<td class=\"number\"><span class=\"unbroken\">$9.99</span></td>";
        assert!(narrow.contains(cell) && narrow.contains("<td>Pro</td>"), "{narrow}");
        assert!(!narrow.contains("sideways"), "{narrow}");
        let wide = table("Items", &[columns[0]; 4], &[]).into_string();
        assert!(wide.contains("sideways") && wide.contains("class=\"scrolls wide\""), "{wide}");
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

    #[test]
    fn typed_text_is_escaped() {
        let hostile = "<script>alert('1')</script>\" onload=\"x & y";
        let escaped = "&lt;script&gt;alert('1')&lt;/script&gt;&quot; onload=&quot;x &amp; y";
        let shown = html! { p title=(hostile) { (text(hostile)) } }.into_string();
        assert_eq!(shown, format!("<p title=\"{escaped}\">{escaped}</p>"));
    }
}
