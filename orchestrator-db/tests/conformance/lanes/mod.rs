mod claims;
mod creates;
mod failures;
mod world;
