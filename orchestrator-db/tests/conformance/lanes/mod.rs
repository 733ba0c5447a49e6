mod claims;
mod creates;
mod failures;
mod jobs;
mod many;
mod outputs;
mod together;
mod world;
