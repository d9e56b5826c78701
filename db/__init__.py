"""Tables, stores and migrations; the only room that speaks SQL for our own data."""
