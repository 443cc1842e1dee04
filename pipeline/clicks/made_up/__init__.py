"""Made-up clicks: a clothes shop with tastes, and a quick copy of YOOCHOOSE's shape."""
