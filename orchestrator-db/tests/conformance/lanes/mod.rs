mod claims;
mod creates;
mod failures;
mod jobs;
mod outputs;
mod together;
mod world;
