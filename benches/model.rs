//! Executions of the model world per second: whole scripts, and the boot of a world.

use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use scenarios::model::choice::{Calm, Seeded};
use scenarios::model::kernel::{Conf, Image, Setting};
use scenarios::model::script::{Mistakes, Stages};
use scenarios::model::world::World;

fn scripts(criterion: &mut Criterion) {
    let stages = Stages::new(Mistakes::default());
    let mut group = criterion.benchmark_group("model");
    group.throughput(Throughput::Elements(1));
    let mut seed = 0;
    group.bench_function("script", |bencher| {
        bencher.iter(|| {
            seed += 1;
            stages.play(&mut Seeded::new(seed))
        });
    });
    let version = |text: &str| text.parse().expect("a version");
    let image = |text| Image::new(version(text), None, fake_nginx::machine::Defects::default());
    let images = vec![image("1.22.1"), image("1.26.3")];
    let setting = Arc::new(Setting::new(images, vec![Conf { workers: 2, reuseport: false }], 500));
    group.bench_function("boot", |bencher| {
        bencher.iter(|| World::boot(Arc::clone(&setting), &mut Calm, false).state);
    });
    let state = World::boot(Arc::clone(&setting), &mut Calm, false).state;
    group.bench_function("clone", |bencher| bencher.iter(|| state.clone()));
    group.finish();
}

criterion_group!(benches, scripts);
criterion_main!(benches);
