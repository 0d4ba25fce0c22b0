"""The verbs of `oem license`, by whose side they are on; each is imported when it is run."""
