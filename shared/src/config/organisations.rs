//! The claims by which a token says for which organisation its user acts, and in which role.

use std::collections::BTreeMap;

use super::parse::{self, Reader};
use crate::domain::Permission;

/// The organisations of the app's identity provider.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Organisations {
    /// The path of the claim that has the organisation's id.
    pub claim: String,
    /// The path of the claim that has the member's role, or a list of roles.
    pub role_claim: String,
    /// The permission of each role. A role that is not listed may only read.
    pub roles: BTreeMap<String, Permission>,
}

/// The settings, which are of no use without each other.
const NAMES: [&str; 3] = ["AUTH_ORG_CLAIM", "AUTH_ORG_ROLE_CLAIM", "AUTH_ORG_ROLES"];

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Organisations> {
    let [claim, role_claim, roles] = NAMES;
    let claim = reader.parsed(claim, parse::text);
    let role_claim = reader.parsed(role_claim, parse::text);
    let listed = reader.list(roles, parse::role);
    let count = listed.len();
    let permissions: BTreeMap<String, Permission> = listed.into_iter().collect();
    if permissions.len() < count {
        reader.problem(roles, "must list each role once");
    }
    if NAMES.into_iter().any(|name| reader.is_set(name)) {
        for name in NAMES.into_iter().filter(|name| !reader.is_set(name)).collect::<Vec<_>>() {
            reader.problem(name, "must be set, because another AUTH_ORG_ setting is");
        }
    }
    Some(Organisations { claim: claim?, role_claim: role_claim?, roles: permissions })
}
