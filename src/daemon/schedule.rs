//! The tick: tokio-cron-scheduler with one job a second in UTC. It only says "look"; what is due is
//! decided by the loop with `config::every`, because the scheduler fixes a zone's offset when a job
//! is made and neither awaits nor serialises what it starts. It goes by the wall clock too, and says
//! nothing for as long as that was set back: so now and then a tick comes without it.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use super::wake::Wake;

/// Every second.
const EVERY_SECOND: &str = "* * * * * *";

/// A tick at least so often, whatever the wall clock does.
const STEADY_TICK_INTERVAL: Duration = Duration::from_secs(10);

/// Starts ticking. A tick that finds the loop busy is dropped: the next one says the same.
///
/// # Errors
/// When the scheduler does not start.
pub async fn start(wakes: mpsc::Sender<Wake>) -> Result<JobScheduler, JobSchedulerError> {
    let steady_wakes = wakes.clone();
    tokio::spawn(async move {
        let mut ticks = interval(STEADY_TICK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !steady_wakes.is_closed() {
            ticks.tick().await;
            let _ = steady_wakes.try_send(Wake::Tick);
        }
    });
    let scheduler = JobScheduler::new().await?;
    let job = Job::new_async(EVERY_SECOND, move |_, _| {
        let wakes = wakes.clone();
        Box::pin(async move {
            let _ = wakes.try_send(Wake::Tick);
        })
    })?;
    scheduler.add(job).await?;
    scheduler.start().await?;
    Ok(scheduler)
}
