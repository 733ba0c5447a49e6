mod claims;
mod creates;
mod failures;
mod jobs;
mod world;
