//! Decides whose account a request is about, and who acts.
//!
//! The owner of a plan, a balance, usage or history is a user or an organisation. A user acts for
//! the organisation that their token names, as far as their role permits, or for themselves. A
//! trusted caller acts for any one owner.

use super::{Caller, Membership};
use crate::domain::error::{Error, ErrorCode, Result};
use crate::domain::{Permission, UserId};

/// The ids that a request names, in the query, in a header or in the body.
#[derive(Clone, Debug, Default)]
pub struct Named {
    /// The owners: `ownerId` and `x-owner-id`.
    pub owners: Vec<String>,
    /// The users who act: `userId` and `x-user-id`.
    pub users: Vec<String>,
}

/// The account that a request is about, and the user who acts for it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Acting {
    /// None if a trusted caller named no owner.
    pub owner: Option<UserId>,
    /// None if the owner acts, or if a trusted caller named no user.
    pub actor: Option<UserId>,
}

impl Caller {
    /// Returns the owner of the account that a request is about, and the user who acts.
    ///
    /// `permission` is what a member of an organisation needs. It is none on a personal route,
    /// which is about the user alone.
    pub fn act_for(&self, named: &Named, permission: Option<Permission>) -> Result<Acting> {
        match self {
            Self::Anonymous | Self::Cron => Ok(Acting::default()),
            Self::Service { .. } => act_as_named(named, permission),
            Self::User { id, organisation, admin } => {
                let member = organisation.as_ref().filter(|_| permission.is_some());
                let is_own = |name: &String| {
                    name == id.as_str() || member.is_some_and(|it| name == it.organisation.as_str())
                };
                let names_another = named.users.iter().any(|name| name != id.as_str())
                    || !named.owners.iter().all(is_own);
                // An admin who names a user, even themselves, means that user's own account.
                let names_user = *admin && !named.users.is_empty();
                match names_another || names_user {
                    false => act_as_user(id, member, *admin, named, permission),
                    true if *admin => act_as_named(named, permission),
                    true => Err(other_user(member)),
                }
            }
        }
    }

    /// Returns whether the caller may buy for the account. The actor is the member who acts for it.
    pub fn may_buy(&self, actor: Option<&UserId>) -> bool {
        match self {
            Self::Anonymous | Self::Cron => false,
            Self::Service { .. } => true,
            Self::User { organisation, admin, .. } => {
                let may_buy = |member: &Membership| member.permission >= Permission::Buy;
                *admin || actor.is_none() || organisation.as_ref().is_some_and(may_buy)
            }
        }
    }
}

/// Acts for a user's organisation, or for the user, who may name either. Without a name the
/// organisation counts, because the app has chosen it with the token.
fn act_as_user(
    user: &UserId,
    member: Option<&Membership>,
    is_admin: bool,
    named: &Named,
    needed: Option<Permission>,
) -> Result<Acting> {
    let default = member.map_or(user, |member| &member.organisation);
    let owner = one(&named.owners, "ownerId")?.unwrap_or_else(|| default.clone());
    let actor = (owner != *user).then(|| user.clone());
    if let (Some(member), Some(needed), Some(_)) = (member, needed, &actor)
        && member.permission < needed
        && !is_admin
    {
        return Err(insufficient_role(member.permission, needed));
    }
    Ok(Acting { owner: Some(owner), actor })
}

/// Acts for the owner that a trusted caller names. A user named beside an owner is who acts;
/// a user named alone is the owner.
fn act_as_named(named: &Named, permission: Option<Permission>) -> Result<Acting> {
    let (owner, user) = (one(&named.owners, "ownerId")?, one(&named.users, "userId")?);
    let actor = user.clone().filter(|user| owner.as_ref().is_some_and(|owner| owner != user));
    if actor.is_some() && permission.is_none() {
        let message = "differs from userId, but this request is about one account";
        return Err(Error::invalid("ownerId", message));
    }
    Ok(Acting { owner: owner.or(user), actor })
}

/// Returns the one id among the names.
fn one(names: &[String], field: &str) -> Result<Option<UserId>> {
    let Some(first) = names.first() else { return Ok(None) };
    if names.iter().any(|name| name != first) {
        return Err(Error::invalid(field, "names two different ids"));
    }
    let id = UserId::try_from(first.clone()).map_err(|what| Error::invalid(field, what))?;
    Ok(Some(id))
}

fn other_user(member: Option<&Membership>) -> Error {
    let message = match member {
        None => "You may only act for yourself.",
        Some(_) => "You may only act for yourself and for the organisation of your token.",
    };
    Error::new(ErrorCode::OtherUser, message)
}

fn insufficient_role(has: Permission, needs: Permission) -> Error {
    let message = format!(
        "Your role in this organisation has the permission {has}, and this request needs {needs}."
    );
    Error::new(ErrorCode::InsufficientRole, message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const IDS: [&str; 4] = ["ann", "bob", "org_1", "org_2"];

    fn id(text: &str) -> UserId {
        UserId::try_from(text.to_owned()).unwrap()
    }

    /// Ann, with a token for `org_1` if she has a permission there.
    fn ann(permission: Option<Permission>, admin: bool) -> Caller {
        let member = |permission| Membership { organisation: id("org_1"), permission };
        Caller::User { id: id("ann"), organisation: permission.map(member), admin }
    }

    fn some_named() -> impl Strategy<Value = Named> {
        let some = || {
            let ids = proptest::sample::select(&IDS[..]).prop_map(str::to_owned);
            proptest::collection::vec(ids, 0..3)
        };
        (some(), some()).prop_map(|(owners, users)| Named { owners, users })
    }

    fn some_permission() -> impl Strategy<Value = Option<Permission>> {
        const ALL: &[Permission] = &[Permission::Read, Permission::Spend, Permission::Buy];
        proptest::option::of(proptest::sample::select(ALL))
    }

    proptest! {
        /// FX-10: whatever a request names, a user acts for themselves, or for the organisation of
        /// their token within their role, and each entry names who acted.
        #[test]
        fn a_user_acts_for_no_other_owner(
            named in some_named(), has in some_permission(), needs in some_permission(),
        ) {
            let Ok(acting) = ann(has, false).act_for(&named, needs) else { return Ok(()) };
            match acting.owner.as_ref().map(UserId::as_str) {
                Some("ann") => prop_assert_eq!(acting.actor, None),
                Some("org_1") => {
                    prop_assert!(needs.is_some() && has >= needs);
                    prop_assert_eq!(acting.actor, Some(id("ann")));
                }
                other => prop_assert!(false, "{:?}", other),
            }
            let owner = acting.owner.unwrap();
            prop_assert!(named.owners.iter().all(|name| name == owner.as_str()));
            prop_assert!(named.users.iter().all(|name| name == "ann"));
        }

        /// A trusted caller acts for exactly the owner that it names.
        #[test]
        fn a_trusted_caller_acts_for_the_owner_it_names(
            named in some_named(), needs in some_permission(), is_admin in any::<bool>(),
        ) {
            let service = Caller::Service { key: "ab".to_owned(), admin: is_admin };
            let Ok(acting) = service.act_for(&named, needs) else { return Ok(()) };
            let owner = named.owners.first().or(named.users.first());
            prop_assert_eq!(acting.owner.as_ref().map(UserId::as_str), owner.map(String::as_str));
            let names = named.users.iter().chain(&named.owners).map(String::as_str);
            let is_named = |actor: UserId| names.clone().any(|name| name == actor.as_str());
            prop_assert!(acting.actor.is_none_or(is_named));
        }
    }

    #[test]
    fn the_organisation_of_the_token_is_the_default() {
        let spender = ann(Some(Permission::Spend), false);
        let acting = spender.act_for(&Named::default(), Some(Permission::Spend)).unwrap();
        assert_eq!(acting, Acting { owner: Some(id("org_1")), actor: Some(id("ann")) });
        let personal = spender.act_for(&Named::default(), None).unwrap();
        assert_eq!(personal, Acting { owner: Some(id("ann")), actor: None });
        let own = Named { owners: vec!["ann".to_owned()], ..Named::default() };
        let buying = spender.act_for(&own, Some(Permission::Buy)).unwrap();
        assert_eq!(buying.owner, Some(id("ann")), "a role limits only acts for the organisation");
        let refused = spender.act_for(&Named::default(), Some(Permission::Buy)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::InsufficientRole);
    }

    /// An admin needs no role, and names any owner.
    #[test]
    fn an_admin_acts_for_any_owner() {
        let admin = ann(Some(Permission::Read), true);
        let acting = admin.act_for(&Named::default(), Some(Permission::Buy)).unwrap();
        assert_eq!(acting, Acting { owner: Some(id("org_1")), actor: Some(id("ann")) });
        let other = Named { users: vec!["bob".to_owned()], ..Named::default() };
        let acting = admin.act_for(&other, None).unwrap();
        assert_eq!(acting, Acting { owner: Some(id("bob")), actor: None });
        // An admin who names themselves means their own account, not the organisation's.
        let own = Named { users: vec!["ann".to_owned()], ..Named::default() };
        for needed in [None, Some(Permission::Buy)] {
            let acting = admin.act_for(&own, needed).unwrap();
            assert_eq!(acting, Acting { owner: Some(id("ann")), actor: None });
        }
    }
}
