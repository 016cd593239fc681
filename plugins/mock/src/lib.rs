//! A driver without a database, whose script of faults stands for servers that misbehave.
