//! The tick: tokio-cron-scheduler with one job a second in UTC. It only says "look"; what is due is
//! decided by the loop with `config::every`, because the scheduler fixes a zone's offset when a job
//! is made and neither awaits nor serialises what it starts.

use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use super::wake::Wake;

/// Every second.
const EACH_SECOND: &str = "* * * * * *";

/// Starts ticking. A tick that finds the loop busy is dropped: the next one says the same.
///
/// # Errors
/// When the scheduler does not start.
pub async fn start(wakes: mpsc::Sender<Wake>) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    let job = Job::new_async(EACH_SECOND, move |_, _| {
        let wakes = wakes.clone();
        Box::pin(async move {
            let _ = wakes.try_send(Wake::Tick);
        })
    })?;
    scheduler.add(job).await?;
    scheduler.start().await?;
    Ok(scheduler)
}
