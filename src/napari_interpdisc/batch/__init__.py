"""Work on many units: resumable, in several processes."""
