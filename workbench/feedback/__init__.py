"""People judge episodes: ratings, blind comparisons, how well raters agree, and what ranking follows."""
