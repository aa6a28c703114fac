"""Models on this host: where they are kept, how they are downloaded, `remotemedia models`."""
