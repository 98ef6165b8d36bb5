//! A minute after the last fault every VNode is owned by a replica that runs, and who is dead is known to be.

use engine::view::MemberState;

use crate::world::World;

/// Compares Leases with who runs.
///
/// # Errors
/// The first VNode that nobody acts for.
pub fn owned(world: &World) -> Result<(), String> {
    if world.replicas.len() < 2 {
        return Ok(());
    }
    let running = world.replicas.iter().filter_map(|replica| Some(replica.running.as_ref()?.who()));
    let running: Vec<_> = running.collect();
    for node in world.api.nodes.keys() {
        let lease = world.api.leases.get(node);
        if !lease.is_some_and(|lease| running.contains(&lease.holder)) {
            return Err(format!("nobody who runs acts for {node}: {lease:?}, and {running:?} run"));
        }
    }
    for who in &running {
        let lives = |state| state == MemberState::Living;
        let mut members = world.api.members.values();
        if !members.any(|member| member.incarnation == *who && lives(member.state)) {
            return Err(format!("{who} runs, and its Lease does not say so: {:?}", world.api.members));
        }
    }
    let dead = |incarnation| !running.contains(incarnation);
    let mut members = world.api.members.values();
    match members.find(|member| member.state == MemberState::Living && dead(&member.incarnation)) {
        Some(member) => Err(format!("{} does not run, and is taken for alive", member.incarnation)),
        None => Ok(()),
    }
}
