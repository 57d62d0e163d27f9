//! Reads the `discounts` parameter of sessions, subscriptions and invoices.

use crate::api::params::Params;
use crate::error::StripeError;
use crate::lifecycle::discounts::{self, Redemption};
use crate::world::{World, text};

/// Reads `discounts[0][coupon]` and `discounts[0][promotion_code]`.
pub fn read(world: &World, form: &Params) -> Result<Option<Vec<Redemption>>, StripeError> {
    let Some(entries) = form.objects("discounts")? else { return Ok(None) };
    entries.iter().map(|entry| read_one(world, entry)).collect::<Result<_, _>>().map(Some)
}

fn read_one(world: &World, entry: &Params) -> Result<Redemption, StripeError> {
    let coupon = entry.text("coupon")?;
    let code_id = entry.text("promotion_code")?;
    let discount_id = entry.text("discount")?;
    if let Some(id) = code_id {
        return discounts::by_code(world.find(
            "promotion_code",
            &id,
            &entry.name("promotion_code"),
        )?);
    }
    if let Some(id) = discount_id {
        let discount = world.find("discount", &id, &entry.name("discount"))?;
        let coupon = text(&discount["source"], "coupon").to_owned();
        return Ok(Redemption { coupon, promotion_code: None });
    }
    let id = coupon.ok_or_else(|| entry.missing("coupon"))?;
    world.find("coupon", &id, &entry.name("coupon"))?;
    Ok(Redemption { coupon: id, promotion_code: None })
}
