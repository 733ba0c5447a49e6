mod claims;
mod creates;
mod failures;
mod jobs;
mod together;
mod world;
