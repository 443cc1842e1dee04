# The app and the pipeline in one image: compose.yaml builds and runs it.
# What the steps do is in scripts/image.sh, which the tests run without Docker.
FROM --platform=linux/amd64 python:3.11-slim-bookworm AS build
WORKDIR /source
COPY requirements.txt ./
COPY scripts/setup.sh scripts/image.sh scripts/
RUN scripts/image.sh environment /app
COPY . .
RUN scripts/image.sh project /project

FROM --platform=linux/amd64 python:3.11-slim-bookworm
RUN useradd --create-home --uid 10001 road && mkdir /road && chown road /road
# Two layers: a new version of the project leaves the 2.5 GB of packages where they are
COPY --from=build /app /app
COPY --from=build /project /app
WORKDIR /app
USER 10001
# The cache holds Milvus's unpacked server: on the volume it outlives the container
ENV CLICK_ROAD_WORKSPACE=/road/workspace XDG_CACHE_HOME=/road/cache
RUN scripts/image.sh check
VOLUME /road
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["scripts/image.sh", "healthy"]
CMD ["scripts/image.sh", "serve"]
