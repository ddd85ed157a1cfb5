//! A local Cal.com for rehearsals, tests and the demo. Speaks only HTTP to the rest of the house.
