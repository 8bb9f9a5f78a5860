"""Common corruptions of pictures: noise, blur, weather, files and geometry, of five severities."""
