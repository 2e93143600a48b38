"""The guided tour, and the portraits that it draws."""
