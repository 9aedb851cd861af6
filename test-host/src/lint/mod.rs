//! What keeps a plugin from doing its work (F25), in Kubernetes manifests and in running proxies: what no validator of Istio sees.

mod audit;
mod callouts;
mod conditions;
mod delivery;
mod dump;
mod egress;
mod extension;
mod finding;
mod guard;
mod guards;
mod identity;
mod manifest;
mod matcher;
mod mirrors;
mod rbac;
mod routes;
mod services;
mod spot;
mod switched;
mod taken;
mod target;

pub use dump::{NoDump, lint_dump};
pub use finding::{Check, Finding, Severity};
pub use manifest::{Known, Manifest, Problems, Unreadable, World, read};

use extension::Extension;

/// Everything that was found in manifests, in the order of files and lines.
///
/// A plugin that nothing attaches, that is skipped when it fails, or that does not see who calls, is one that lets through
/// what it should refuse; so each finding is about one thing that a gate needs and that is not there.
pub fn lint(world: &World) -> Vec<Finding> {
    let mut found = Vec::new();
    let extensions: Vec<Extension<'_>> = world.manifests().iter().flat_map(|manifest| Extension::of(world, manifest)).collect();
    for extension in &extensions {
        delivery::check(world, extension, &mut found);
        // Of what is in no chain nothing more can be said.
        if target::check(world, extension, &mut found) {
            identity::check(world, extension, &mut found);
            callouts::check(world, extension, &mut found);
            services::believed(world, extension, &mut found);
            routes::check(world, extension, &mut found);
            guard::check(world, &extensions, extension, &mut found);
            mirrors::check(world, extension, &mut found);
            switched::check(world, extension, &mut found);
            taken::check(world, extension, &mut found);
        }
    }
    identity::check_requests(world, &extensions, &mut found);
    egress::check(world, &extensions, &mut found);
    services::check(world, &extensions, &mut found);
    audit::check(world, &extensions, &mut found);
    found.sort_by(|a, b| (&a.file, a.place, a.check.id()).cmp(&(&b.file, b.place, b.check.id())));
    found.dedup();
    found
}
