"""Where the trouble is, whose it is and until when: gazetteer, place finding, distance, services, calendar."""
