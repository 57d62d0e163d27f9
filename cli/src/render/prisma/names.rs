//! Names in Prisma's style: models are singular and in PascalCase, fields are in camelCase.

/// Tables whose name ends with an `s` that is not a plural, or has no singular.
const AS_THEY_ARE: [&str; 1] = ["plan_terms"];

/// The name of a table's model: `billing_events` gives `BillingEvent`.
pub(super) fn singular(table: &str) -> String {
    let stem = match table.strip_suffix('s') {
        Some(stem) if !AS_THEY_ARE.contains(&table) => stem,
        _ => table,
    };
    pascal(stem)
}

/// `current_usage` gives `CurrentUsage`.
pub(super) fn pascal(name: &str) -> String {
    name.split('_').map(capitalized).collect()
}

/// `current_usage` gives `currentUsage`.
pub(super) fn camel(name: &str) -> String {
    uncapitalized(&pascal(name))
}

pub(super) fn uncapitalized(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(chars).collect()
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_prismas_style() {
        assert_eq!(singular("billing_events"), "BillingEvent");
        assert_eq!(singular("usage_tracking"), "UsageTracking");
        assert_eq!(singular("plan_terms"), "PlanTerms");
        assert_eq!(camel("current_period_end"), "currentPeriodEnd");
        assert_eq!(camel("id_sha256"), "idSha256");
    }
}
