#!/bin/bash
# Proves that the tests bite: each row breaks one line of a copy of the sources, and the simulation
# or the tests of the domain must fail. Run by hand, it builds once per row:
#
#   tests/mutations.sh [ROW...]        all rows, or those numbers; MAITRED_SEEDS=N: seeds (600)
#
# A row is: file | what stands there | what is put there. A text that does not stand there any
# more is an error, so that no row silently breaks nothing.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
# Not the tree's own: cargo would take the broken sources' output for its own.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target/mutations} MAITRED_SEEDS=${MAITRED_SEEDS:-600}
mapfile -t rows <<'ROWS'
src/domain/intent.rs|Sight::Pending => return Next::Call(booking.clone()),|Sight::Pending => unread = false,
src/domain/intent.rs|(Sight::Accepted, Some(_)) => facts.push(Fact::Post {|(Sight::Pending, Some(_)) => facts.push(Fact::Post {
src/domain/intent.rs|            if accepted(&booking) {|            if false {
src/domain/intent.rs|Status::Pending if booking.rescheduled_to.is_some() => Self::Cancelled,|Status::Pending if booking.rescheduled_to.is_some() => Self::Accepted,
src/domain/intent.rs|Sight::Unread => unread = true,|Sight::Unread => {}
src/domain/intent.rs|    if surplus > 0 {|    if surplus > 1_000 {
src/domain/ledger/charging.rs|        account.totals.held += credits;|        account.totals.held += credits; account.totals.granted += 1;
src/domain/ledger/charging.rs|        account.totals.held -= credits;|        account.totals.held -= 0;
src/domain/ledger/charging.rs|    charge.state = ChargeState::Void;|    charge.state = ChargeState::Held;
src/domain/ledger.rs|            holds_ended(records, &record)?;|
src/domain/ledger.rs|    account.version += 1;|
src/domain/account.rs|let credits = lot.left.min(missing);|let credits = missing;
src/domain/account.rs|self.left > 0 && self.expires.is_none_or(|self.left > 0 && self.expires.is_some_and(
src/domain/judge.rs|    if available >= to_hold {|    if available >= to_hold \|\| available == 0 {
src/domain/judge.rs|        Some(_) => objects(Decision::Review, Code::Frozen, "the account is frozen"),|        Some(_) => Said::Silent,
src/domain/plan.rs|        account.spend(&parts);|
src/domain/plan.rs|        if self.is_begun(&group) {|        if false {
src/domain/plan.rs|        if self.records(group).any(settled) {|        if false {
src/domain/plan/finish.rs|            facts.extend(hold);|
src/domain/plan/finish.rs|            Next::Call(booking) if due => self.resume(open, &booking),|            Next::Call(booking) if !due => self.resume(open, &booking),
src/reconcile/execute.rs|                expected.insert(account.clone(), *version);|
src/reconcile/execute.rs|            if let Some(found) = found_meanwhile(store, &expected)? {|            if let Some(found) = None {
src/reconcile/execute.rs|                match store.commit(at, facts, &expected) {|                match store.commit(at, facts, &[]) {
src/reconcile/deliver.rs|        touched.retain(\|id, _\| !richer.contains(id));|        touched.retain(\|id, _\| id.as_str().len() < 1_000 + richer.len());
src/reconcile/deliver.rs|                    if version(store, &id)? == known {|                    if version(store, &id)? == known \|\| true {
src/reconcile/deliver.rs|                Some((Sight::Pending, at)) => {|                Some((_, at)) => {
src/reconcile/deliver.rs|            Some((*n, call, at + max_age))|            Some((*n, call, at + max_age * 100))
src/reconcile/deliver.rs|                *seen.get(&call.booking.uid)?|                *seen.get(&call.booking.uid).unwrap_or(&now)
src/reconcile/sight.rs|                found.insert(booking.uid.clone(), (Sight::of_booking(booking), at));|                found.insert(booking.uid.clone(), (Sight::Pending, at));
src/reconcile/pass.rs|    if dry_run {|    if dry_run && policy.gates.is_empty() {
src/reconcile/known.rs|            .map_or(Sight::Gone, Sight::of_booking);|            .map_or(Sight::Gone, \|_\| Sight::Accepted);
ROWS
survived=0
for n in "${!rows[@]}"; do
  row=$((n + 1))
  [ $# -gt 0 ] && [[ " $* " != *" $row "* ]] && continue
  line=${rows[$n]//\\|/$'\x01'}
  IFS='|' read -r file from to <<<"$line"
  from=${from//$'\x01'/|} to=${to//$'\x01'/|}
  rm -rf "${copy:?}"/*
  cp -r "$root"/{Cargo.toml,Cargo.lock,clippy.toml,config.toml,src,tests,benches} "$copy"
  FROM=$from TO=$to perl -0pi -e '$n = s/\Q$ENV{FROM}\E/$ENV{TO}/; END { exit($n ? 0 : 1) }' "$copy/$file" ||
    { echo "$row: $file: not found: $from"; exit 2; }
  log=$copy/log
  if ! (cd "$copy" && cargo test --test simulation --no-run) >"$log" 2>&1; then
    echo "$row: $file: does not build"; grep -m3 -A4 '^error' "$log"; exit 2
  fi
  by=""
  (cd "$copy" && timeout 300 cargo test --test simulation) >"$log" 2>&1 || by="simulation"
  if [ -z "$by" ] || [ -n "${MAITRED_BOTH:-}" ]; then
    (cd "$copy" && timeout 300 cargo test --lib domain::) >"$log" 2>&1 || by="$by domain"
  fi
  echo "$row: $file: ${by:-SURVIVED}: ${from:0:60}"
  [ -n "$by" ] || survived=$((survived + 1))
done
echo "$survived survived"
[ "$survived" -eq 0 ]
