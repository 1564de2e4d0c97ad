"""The prediction server: answers HTTP requests with the predictions of the serving versions. Imports no CLI and no data frames."""
