//! One pass: observe, plan, execute, settle. Awaits the ports; opens nothing itself.
