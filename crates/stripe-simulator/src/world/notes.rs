//! Facts that Stripe's objects have no field for: when a delayed payment settles, and which
//! warnings were already sent.
//!
//! A note is an object of the world, so that the snapshot stores it. No route returns notes.

use serde_json::{Value, json};

use crate::world::World;

pub const KIND: &str = "simulator.note";

/// Reads a value of an object's note; null if it is not set.
pub fn read<'a>(world: &'a World, about: &str, name: &str) -> &'a Value {
    world.get(&id_of(about)).map_or(&Value::Null, |note| &note[name])
}

pub fn write(world: &mut World, about: &str, name: &str, value: Value) {
    let id = id_of(about);
    if world.get(&id).is_none() {
        world.insert(json!({ "id": id, "object": KIND }));
    }
    world.edit(&id, |note| note[name] = value);
}

fn id_of(about: &str) -> String {
    format!("note_{about}")
}

pub fn read_text(world: &World, about: &str, name: &str) -> String {
    read(world, about, name).as_str().unwrap_or_default().to_owned()
}
