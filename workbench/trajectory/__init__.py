"""From pixels to motion: depth lifting, grasps, way points of each verb, and the follower that drives them."""
