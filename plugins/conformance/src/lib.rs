//! Shows that a driver keeps the contract of the ABI, against its real server.
